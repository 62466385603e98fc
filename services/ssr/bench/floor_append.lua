-- What committing one step comes to at the least: the owner is checked, the step is appended, and told of.
-- KEYS  meta, events, path
-- ARGV  epoch, channel, event
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 'stale'
end
redis.call('RPUSH', KEYS[3], ARGV[3])
redis.call('XADD', KEYS[2], '*', 'e', ARGV[3])
redis.call('PUBLISH', ARGV[2], 'event')
return 'ok'
