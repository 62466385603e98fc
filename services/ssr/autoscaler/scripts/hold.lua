-- Takes or renews the lock of the one who decides.
-- KEYS  lock
-- ARGV  who, ms that it lasts
-- Returns 1 when the lock is theirs.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
