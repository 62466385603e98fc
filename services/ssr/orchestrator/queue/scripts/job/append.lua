-- Commits one decision of a run and reports it, at once or not at all. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  epoch, channel, job id, event, then what it is: "step", path and index; "once" and a field of meta, for what
--       is decided once; "claim" for what is reported once an epoch
-- Returns the ids of the event before this one ("" for none) and of this one; "ok" when this very decision was
-- committed before (a retry after a lost reply), "stale" when the job has a newer owner or is finished, "gap" when the
-- decision does not follow from what is committed.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'status')
if state[1] ~= ARGV[1] or state[2] ~= 'running' then
  return 'stale'
end
if ARGV[5] == 'step' then
  local field, index, digest = 'path:' .. ARGV[6], tonumber(ARGV[7]), redis.sha1hex(ARGV[4])
  local last = redis.call('HGET', KEYS[1], field)
  if last == (index + 1) .. ' ' .. digest then
    return 'ok'
  end
  local count = last and tonumber(string.match(last, '^%d+')) or 0
  if count ~= index or redis.call('HEXISTS', KEYS[1], 'end:' .. ARGV[6]) == 1 then
    return 'gap'
  end
  redis.call('HSET', KEYS[1], field, (index + 1) .. ' ' .. digest)
elseif ARGV[5] == 'once' then
  local digest = redis.sha1hex(ARGV[4])
  if redis.call('HSETNX', KEYS[1], ARGV[6], digest) == 0 then
    return redis.call('HGET', KEYS[1], ARGV[6]) == digest and 'ok' or 'gap'
  end
else
  if redis.call('HGET', KEYS[1], 'told') == ARGV[1] then
    return 'ok'
  end
  redis.call('HSET', KEYS[1], 'told', ARGV[1])
end
local before = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local id = redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
redis.call('PUBLISH', ARGV[2], 'event ' .. ARGV[3])
return {before and before[1] or '', id}
