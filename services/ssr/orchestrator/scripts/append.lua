-- Commits one decision of a run and tells of it, at once or not at all. Keys: see orchestrator/keys.py.
-- KEYS  meta, events, path (of a step; else meta again)
-- ARGV  epoch, channel, job id, event, then "step" and its index, "field" and its name, or "news" and "" (told only)
-- Returns "ok" (also when this very decision was committed before: a retry after a lost reply), "stale" when the job
-- has a newer owner or is finished, "gap" when the step does not follow.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'status') ~= 'running' then
  return 'stale'
end
if ARGV[5] == 'step' then
  local index, length = tonumber(ARGV[6]), redis.call('LLEN', KEYS[3])
  if length == index + 1 and redis.call('LINDEX', KEYS[3], index) == ARGV[4] then
    return 'ok'
  end
  if length ~= index then
    return 'gap'
  end
  redis.call('RPUSH', KEYS[3], ARGV[4])
elseif ARGV[5] == 'field' then
  if redis.call('HSETNX', KEYS[1], ARGV[6], ARGV[4]) == 0 then
    return redis.call('HGET', KEYS[1], ARGV[6]) == ARGV[4] and 'ok' or 'gap'
  end
end
redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
redis.call('PUBLISH', ARGV[2], 'event ' .. ARGV[3])
return 'ok'
