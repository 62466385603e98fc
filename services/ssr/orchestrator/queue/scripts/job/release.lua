-- Hands a job back: whoever claims it next goes on where it is. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  epoch
-- Returns "ok", or "stale" when the job has a newer owner or is finished.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'status') ~= 'running' then
  return 'stale'
end
redis.call('HSET', KEYS[1], 'status', 'queued')
redis.call('HDEL', KEYS[1], 'waits')
return 'ok'
