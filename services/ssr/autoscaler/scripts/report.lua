-- Puts up what one part reports, with the time and a time to live. Keys: see autoscaler/reports.py.
-- KEYS  notes, the note
-- ARGV  the note's name, what it reports, ms to live
local time = redis.call('TIME')
redis.call('SET', KEYS[2], time[1] .. '.' .. string.format('%06d', time[2]) .. ' ' .. ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], 3600)  -- when nobody has reported anything for long, nothing is left
return 'ok'
