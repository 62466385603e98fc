-- Ends a job for good. Keys: see orchestrator/keys.py.
-- KEYS  meta, events, waiters
-- ARGV  epoch, channel, job id, event "finished", status, result, now (ms), seconds to keep the job
-- Returns "ok", or "stale" when the job has a newer owner or is finished.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'status')
if state[1] ~= ARGV[1] or (state[2] ~= 'running' and state[2] ~= 'queued') then
  return 'stale'
end
redis.call('HSET', KEYS[1], 'status', ARGV[5], 'result', ARGV[6], 'finished', ARGV[7])
redis.call('HDEL', KEYS[1], 'waits')
redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[8])
redis.call('EXPIRE', KEYS[2], ARGV[8])
redis.call('DEL', KEYS[3])
redis.call('PUBLISH', ARGV[2], 'event ' .. ARGV[3])
redis.call('PUBLISH', ARGV[2], 'finished ' .. ARGV[3])
return 'ok'
