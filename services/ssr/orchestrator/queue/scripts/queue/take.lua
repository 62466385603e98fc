-- Delivers a job that nobody has taken yet to a replica. Keys: see orchestrator/keys.py.
-- KEYS  the streams to look at, the one to prefer first; paused
-- ARGV  group, consumer
-- Returns {index of the stream from 0, entry id, job id, paths}, or nothing when all are empty, or the queue is
-- paused.
local streams = #KEYS - 1
if redis.call('EXISTS', KEYS[#KEYS]) == 1 then
  return nil
end
for i = 1, streams do
  local key = KEYS[i]
  local read = {'XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', key, '>'}
  local found = redis.pcall(unpack(read))
  if type(found) == 'table' and found.err then
    if not string.find(found.err, 'NOGROUP') then
      return found
    end
    redis.call('XGROUP', 'CREATE', key, ARGV[1], 0, 'MKSTREAM')  -- a new Redis, or one that lost its data
    found = redis.call(unpack(read))
  end
  if found then
    local entry = found[1][2][1]
    return {i - 1, entry[1], entry[2][2], entry[2][4]}
  end
end
return nil
