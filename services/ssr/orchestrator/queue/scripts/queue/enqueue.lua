-- Puts a job into the queue, once. Keys: see orchestrator/keys.py.
-- KEYS  jobs, tenants, index, the priority's stream, the tenant's waiting list, listed
-- ARGV  job id, priority, tenant, paths, most unfinished jobs, most jobs of the tenant at a time, now (ms),
--       ms of the oldest job that the index still needs, channel, what to find the job by in a list
-- Returns "ok" (also when it is there already), or "full".
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return 'ok'
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
  return 'full'
end
redis.call('ZADD', KEYS[3], ARGV[7], ARGV[1])
redis.call('HSET', KEYS[6], ARGV[1], ARGV[10])
local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[8], 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', KEYS[3], unpack(gone))
  redis.call('HDEL', KEYS[6], unpack(gone))
end
local tenant, place = ARGV[2] .. ' ' .. ARGV[3], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' '
local count = tonumber(redis.call('HGET', KEYS[2], tenant) or '0')
if count >= tonumber(ARGV[6]) then
  redis.call('RPUSH', KEYS[5], ARGV[1])
  redis.call('HSET', KEYS[1], ARGV[1], place)
  return 'ok'
end
local entry = redis.call('XADD', KEYS[4], '*', 'job', ARGV[1], 'paths', ARGV[4])
redis.call('HSET', KEYS[1], ARGV[1], place .. entry)
redis.call('HINCRBY', KEYS[2], tenant, 1)
redis.call('PUBLISH', ARGV[9], 'queued queue')
return 'ok'
