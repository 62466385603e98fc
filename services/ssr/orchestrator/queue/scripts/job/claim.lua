-- Makes a replica the owner of a job. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  owner, now (ms), queue entry
-- Returns {epoch, request, "1" if a cancellation waits, takeovers, created, tenant, 1 if this is a takeover, traceparent};
-- nothing when the job is finished or gone, or when the entry is not the job's own: a delivery too many.
-- A job that is found running lost its owner without being handed back: that is a takeover.
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' and status ~= 'running' then
  return nil
end
redis.call('HSETNX', KEYS[1], 'entry', ARGV[3])
if redis.call('HGET', KEYS[1], 'entry') ~= ARGV[3] then
  return nil
end
local taken_over = status == 'running' and 1 or 0
local takeovers = redis.call('HINCRBY', KEYS[1], 'takeovers', taken_over)
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'status', 'running', 'owner', ARGV[1])
redis.call('HDEL', KEYS[1], 'waits')
redis.call('HSETNX', KEYS[1], 'started', ARGV[2])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
return {epoch, redis.call('HGET', KEYS[1], 'request'), redis.call('HGET', KEYS[1], 'cancel') or '', takeovers,
        redis.call('HGET', KEYS[1], 'created'), redis.call('HGET', KEYS[1], 'tenant'), taken_over,
        redis.call('HGET', KEYS[1], 'trace') or ''}
