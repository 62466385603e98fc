-- A job as it is at one moment. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- Returns {fields and values of meta in turn, all entries of events}.
return {redis.call('HGETALL', KEYS[1]), redis.call('XRANGE', KEYS[2], '-', '+')}
