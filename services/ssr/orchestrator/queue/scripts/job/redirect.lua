-- The job of a key was left by all who waited for it: return the newest attempt of the same request.
-- Keys: see orchestrator/queue/keys.py.
-- KEYS  meta, events
-- ARGV  number of the attempt, seconds to keep that
if redis.call('HGET', KEYS[1], 'cancel') == 'left' then
  local latest = tonumber(redis.call('HGET', KEYS[1], 'latest') or '0')
  redis.call('HSET', KEYS[1], 'latest', math.max(latest, tonumber(ARGV[1])))
  if redis.call('TTL', KEYS[1]) >= 0 then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
  end
end
return 'ok'
