-- Removes a file. Keys: see orchestrator/queue/keys.py.
-- KEYS  entries, expiry, used, content
-- ARGV  tenant, id
-- Returns 1, or 0 where there is none.
local name = ARGV[1] .. ' ' .. ARGV[2]
local entry = redis.call('HGET', KEYS[1], name)
redis.call('DEL', KEYS[4])
if not entry then return 0 end
local bytes = cjson.decode(entry).bytes
redis.call('HDEL', KEYS[1], name)
redis.call('ZREM', KEYS[2], name)
redis.call('HINCRBY', KEYS[3], '', -bytes)
redis.call('HINCRBY', KEYS[3], 'files ' .. ARGV[1], -1)
if redis.call('HINCRBY', KEYS[3], ARGV[1], -bytes) <= 0 then
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return 1
