-- Ends a job for good. Keys: see orchestrator/keys.py.
-- KEYS  meta, events, then every path
-- ARGV  epoch, channel, job id, event "finished", status, result, now (ms), seconds to keep the job
-- Returns "ok", or "stale" when the job has a newer owner or is finished.
local status = redis.call('HGET', KEYS[1], 'status')
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or (status ~= 'running' and status ~= 'queued') then
  return 'stale'
end
redis.call('HSET', KEYS[1], 'status', ARGV[5], 'result', ARGV[6], 'finished', ARGV[7])
redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, ARGV[8])
end
redis.call('PUBLISH', ARGV[2], 'event ' .. ARGV[3])
return 'ok'
