-- Keeps a file, or one in the place of another of its name. Keys: see orchestrator/queue/keys.py.
-- KEYS  entries, expiry, used, content
-- ARGV  tenant, id, entry (JSON), content, bytes, now (ms), expires (ms), most bytes of the tenant, most bytes of all,
--       most files of the tenant
-- Returns {"kept"}, {"tenant"} or {"all"} where there is no room, with the bytes that are in use.
local function forget(name)
  local entry = redis.call('HGET', KEYS[1], name)
  if not entry then return end
  local bytes, tenant = cjson.decode(entry).bytes, string.match(name, '^%S+')
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('HINCRBY', KEYS[3], '', -bytes)
  redis.call('HINCRBY', KEYS[3], 'files ' .. tenant, -1)
  if redis.call('HINCRBY', KEYS[3], tenant, -bytes) <= 0 then
    redis.call('HDEL', KEYS[3], tenant)
  end
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[6], 'LIMIT', 0, 1000)) do
  forget(name)
end
local name, bytes = ARGV[1] .. ' ' .. ARGV[2], tonumber(ARGV[5])
local old, freed = redis.call('HGET', KEYS[1], name), 0
if old then freed = cjson.decode(old).bytes end
local own = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
local all = tonumber(redis.call('HGET', KEYS[3], '') or 0)
local files = tonumber(redis.call('HGET', KEYS[3], 'files ' .. ARGV[1]) or 0)
if own - freed + bytes > tonumber(ARGV[8]) or (not old and files >= tonumber(ARGV[10])) then
  return {'tenant', own}
end
if all - freed + bytes > tonumber(ARGV[9]) then
  return {'all', all}
end
if old then forget(name) end
redis.call('HSET', KEYS[1], name, ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[7], name)
redis.call('HINCRBY', KEYS[3], '', bytes)
redis.call('HINCRBY', KEYS[3], ARGV[1], bytes)
redis.call('HINCRBY', KEYS[3], 'files ' .. ARGV[1], 1)
redis.call('SET', KEYS[4], ARGV[4], 'PXAT', ARGV[7])
return {'kept', own}
