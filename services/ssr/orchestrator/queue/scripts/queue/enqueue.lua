-- Puts jobs of one tenant into the queue, once, all of them or none. Keys: see orchestrator/queue/keys.py.
-- KEYS  jobs, tenants, index, listed, then for each priority that they have: its stream, the tenant's waiting list
-- ARGV  tenant, most unfinished jobs, most jobs of the tenant at a time, now (ms), ms of the oldest job that the index
--       still needs, channel, then for each job: id, priority, which of the priorities from 0, paths, what to find it by
-- Returns "ok" (also when they are there already), or "full".
local tenant, now, new = ARGV[1], ARGV[4], {}
for i = 7, #ARGV, 5 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    new[#new + 1] = i
  end
end
if #new == 0 then
  return 'ok'
end
if redis.call('HLEN', KEYS[1]) + #new > tonumber(ARGV[2]) then
  return 'full'
end
local added = false
for _, i in ipairs(new) do
  local id, priority, which, paths, found_by = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4]
  redis.call('ZADD', KEYS[3], now, id)
  redis.call('HSET', KEYS[4], id, found_by)
  local of_tenant = priority .. ' ' .. tenant
  local place = of_tenant .. ' ' .. paths .. ' '
  local count = tonumber(redis.call('HGET', KEYS[2], of_tenant) or '0')
  if count >= tonumber(ARGV[3]) then
    redis.call('RPUSH', KEYS[6 + 2 * which], id)
    redis.call('HSET', KEYS[1], id, place)
  else
    local entry = redis.call('XADD', KEYS[5 + 2 * which], '*', 'job', id, 'paths', paths)
    redis.call('HSET', KEYS[1], id, place .. entry)
    redis.call('HINCRBY', KEYS[2], of_tenant, 1)
    added = true
  end
end
local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[5], 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', KEYS[3], unpack(gone))
  redis.call('HDEL', KEYS[4], unpack(gone))
end
if added then
  redis.call('PUBLISH', ARGV[6], 'queued queue')
end
return 'ok'
