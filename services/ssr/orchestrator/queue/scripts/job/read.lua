-- A job as it is at one moment. Keys: see orchestrator/queue/keys.py.
-- KEYS  meta, events
-- ARGV  most events
-- Returns {fields and values of meta in turn, so many entries of events from the first, id of the last entry}. The rest
-- can be read later: entries never change, and there are new ones behind the last only.
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
return {redis.call('HGETALL', KEYS[1]), redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[1]), last[1] and last[1][1] or ''}
