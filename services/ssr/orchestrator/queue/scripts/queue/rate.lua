-- Takes from allowances a minute, from all of them or from none. Keys: see orchestrator/queue/keys.py.
-- KEYS  allowances
-- ARGV  now (ms), "1" to take whatever is left, then for each key: units to take (below 0: to give back), units a minute
-- An allowance is the moment at which it would be full again; it holds a minute's units. More than a minute's at once is
-- let through when it is full.
-- Returns {0, for each key ms until it is full}, or {ms until it would be allowed, which of the keys from 1}.
local now, minute = tonumber(ARGV[1]), 60000
local taken = {}
for i = 1, #KEYS do
  local units, rate = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  local full = math.max(now, tonumber(redis.call('GET', KEYS[i]) or '0'))
  local cost = units * minute / rate
  local late = full - now - math.max(0, minute - cost)
  if ARGV[2] ~= '1' and late > 0 then
    return {math.ceil(late), i}
  end
  taken[i] = full + cost
end
local reply = {0}
for i = 1, #KEYS do
  reply[i + 1] = math.ceil(math.max(0, taken[i] - now))
  if taken[i] > now then
    redis.call('SET', KEYS[i], string.format('%.0f', taken[i]), 'PX', math.ceil(taken[i] - now))
  else
    redis.call('DEL', KEYS[i])
  end
end
return reply
