-- Reads the decision for one pool. Keys: see autoscaler/reports.py.
-- KEYS  decisions
-- ARGV  pool
-- Returns {seconds now, decision or nil}.
local time = redis.call('TIME')
return {time[1] .. '.' .. string.format('%06d', time[2]), redis.call('HGET', KEYS[1], ARGV[1])}
