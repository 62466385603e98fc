-- Creates a job, once, or joins the one there is; a new one expires unless it is kept (keep.lua).
-- Keys: see orchestrator/queue/keys.py.
-- KEYS  meta, events, waiters
-- ARGV  fingerprint of the request as it came, request, tenant, now (ms), event "queued", seconds to live, traceparent
--       or "", fingerprint with every default filled in or "", waiter or "" for one who submits, ms of the waiter's
--       deadline or "", seconds that waiters are kept
-- Returns {"created"}; {"exists"} when the same request made it before; {"conflict"} when another one did;
-- {"left", n} when all who waited for it have left: it ends, and the n-th attempt of the request is the newest (0: none).
local state = redis.call('HMGET', KEYS[1], 'fingerprint', 'same', 'cancel', 'latest', 'status')
if state[1] then
  if state[1] ~= ARGV[1] and not (state[2] and state[2] == ARGV[8]) then
    return {'conflict'}
  end
  if state[3] == 'left' then
    return {'left', state[4] or '0'}
  end
else
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'same', ARGV[8], 'request', ARGV[2], 'tenant', ARGV[3],
             'created', ARGV[4], 'status', 'queued', 'epoch', 0, 'submitted', '0')
  if ARGV[7] ~= '' then
    redis.call('HSET', KEYS[1], 'trace', ARGV[7])
  end
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[5])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
end
if ARGV[9] == '' then
  redis.call('HSET', KEYS[1], 'submitted', '1')
elseif not state[5] or state[5] == 'queued' or state[5] == 'running' then
  redis.call('HSET', KEYS[3], ARGV[9], ARGV[10])
  redis.call('EXPIRE', KEYS[3], ARGV[11])
end
return {state[1] and 'exists' or 'created'}
