-- Reads the reports; notes that have expired leave the list. Keys: see autoscaler/reports.py.
-- KEYS  notes, decisions
-- ARGV  prefix of a note's key
-- Returns {seconds now, {name, note, name, note, ...}, {pool, decision, pool, decision, ...}}.
local time = redis.call('TIME')
local notes = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local note = redis.call('GET', ARGV[1] .. name)
  if note then
    notes[#notes + 1] = name
    notes[#notes + 1] = note
  else
    redis.call('SREM', KEYS[1], name)
  end
end
return {time[1] .. '.' .. string.format('%06d', time[2]), notes, redis.call('HGETALL', KEYS[2])}
