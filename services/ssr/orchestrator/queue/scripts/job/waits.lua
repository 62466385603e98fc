-- Shows which engine pools a job's paths wait for. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  epoch, the pools' names with blanks between
-- Returns "ok", or "stale" when the job has a newer owner or is finished.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'status') ~= 'running' then
  return 'stale'
end
redis.call('HSET', KEYS[1], 'waits', ARGV[2])
return 'ok'
