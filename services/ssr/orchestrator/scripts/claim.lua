-- Makes a replica the owner of a job. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  owner, now (ms)
-- Returns {epoch, request, "1" if a cancellation waits}, or nothing when the job is finished or gone.
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' and status ~= 'running' then
  return nil
end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'status', 'running', 'owner', ARGV[1])
redis.call('HSETNX', KEYS[1], 'started', ARGV[2])
return {epoch, redis.call('HGET', KEYS[1], 'request'), redis.call('HGET', KEYS[1], 'cancel') or ''}
