-- Takes back the end of a job that failed or was parked. Keys: see orchestrator/queue/keys.py.
-- KEYS  meta, events
-- ARGV  epoch, number of fields, fields of meta to take away, then entries of events to take away
-- Returns "ok" (also when it is queued already), or "stale" when it is in another state.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'status')
if state[2] == 'queued' then
  return 'ok'
end
if state[1] ~= ARGV[1] or (state[2] ~= 'failed' and state[2] ~= 'parked') then
  return 'stale'
end
redis.call('HSET', KEYS[1], 'status', 'queued', 'takeovers', 0, 'submitted', '1')
local fields = tonumber(ARGV[2])
for i = 3, 2 + fields do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
for i = 3 + fields, #ARGV do
  redis.call('XDEL', KEYS[2], ARGV[i])
end
return 'ok'
