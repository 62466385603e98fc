-- A replica reports itself. Keys: see orchestrator/queue/keys.py.
-- KEYS  replicas, drained
-- ARGV  replica, now (ms), jobs in hand, ms without a report after which a replica is forgotten
-- Returns 1 if it is to take no more jobs, else 0.
for i, place in ipairs(redis.call('HGETALL', KEYS[1])) do
  if i % 2 == 1 then
    local seen = redis.call('HGET', KEYS[1], place)
    if seen and tonumber(string.match(seen, '^%d+')) + tonumber(ARGV[4]) < tonumber(ARGV[2]) then
      redis.call('HDEL', KEYS[1], place)
      redis.call('HDEL', KEYS[2], place)
    end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 or redis.call('HEXISTS', KEYS[2], '*') == 1 then
  return 1
end
return 0
