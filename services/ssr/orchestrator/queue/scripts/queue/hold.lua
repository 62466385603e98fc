-- Sets how long the entries that a replica holds have been idle: 0 keeps them, a long time hands them back.
-- Entries that have gone on to another replica stay with it. Keys: see orchestrator/keys.py.
-- KEYS  stream
-- ARGV  group, consumer, ms idle, channel or "" to wake nobody, then entry ids
-- Returns how many entries the replica still holds.
local held = 0
for i = 5, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if not pending.err and pending[1] and pending[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'JUSTID')
    held = held + 1
  end
end
if ARGV[4] ~= '' then
  redis.call('PUBLISH', ARGV[4], 'released queue')
end
return held
