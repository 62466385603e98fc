-- Counts a caller's unfinished jobs. Keys: see orchestrator/queue/keys.py.
-- KEYS  jobs
-- ARGV  caller, job id
-- Returns {its jobs, 1 if this one is in the queue}.
local count = 0
for _, place in ipairs(redis.call('HVALS', KEYS[1])) do
  if string.match(place, '^%S+ ([^%s.]+)') == ARGV[1] then
    count = count + 1
  end
end
return {count, redis.call('HEXISTS', KEYS[1], ARGV[2])}
