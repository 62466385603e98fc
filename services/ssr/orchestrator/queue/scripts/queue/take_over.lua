-- Delivers a job whose replica is silent, or has handed it back, to another one. Keys: see orchestrator/keys.py.
-- KEYS  the streams to look at, the one to prefer first; paused
-- ARGV  group, consumer, ms of silence
-- Returns {index of the stream from 0, entry id, job id, paths}, or nothing; nothing while the queue is paused.
if redis.call('EXISTS', KEYS[#KEYS]) == 1 then
  return nil
end
for i = 1, #KEYS - 1 do
  local key = KEYS[i]
  local cursor = '0-0'
  repeat  -- one call looks at ten entries only
    local found = redis.pcall('XAUTOCLAIM', key, ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', 1)
    if found.err then
      if not string.find(found.err, 'NOGROUP') then
        return found
      end
      break
    end
    local entry = found[2][1]
    if entry then
      return {i - 1, entry[1], entry[2][2], entry[2][4]}
    end
    cursor = found[1]
  until cursor == '0-0'
end
return nil
