-- What nobody has taken yet. Keys: see orchestrator/keys.py.
-- KEYS  streams
-- ARGV  group, most entries to look at
-- Returns for each stream {jobs, their paths, ms when the oldest came or "" when there is none}. Of more entries than it
-- looks at, the paths are estimated from those.
local streams, most = {}, tonumber(ARGV[2])
for i = 1, #KEYS do
  local last = '0-0'
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[i])
  for _, group in ipairs(groups.err and {} or groups) do
    local fields = {}
    for j = 1, #group, 2 do
      fields[group[j]] = group[j + 1]
    end
    if fields['name'] == ARGV[1] then
      last = fields['last-delivered-id']
    end
  end
  local found = redis.call('XRANGE', KEYS[i], '(' .. last, '+', 'COUNT', most)
  local jobs, paths, oldest = #found, 0, ''
  for _, entry in ipairs(found) do
    paths = paths + tonumber(entry[2][4] or 1)
  end
  if jobs > 0 then
    oldest = string.match(found[1][1], '^%d+')
  end
  if jobs == most then
    local pending = redis.pcall('XPENDING', KEYS[i], ARGV[1])
    jobs = math.max(jobs, redis.call('XLEN', KEYS[i]) - (pending.err and 0 or pending[1]))
    paths = math.floor(paths * jobs / most)
  end
  streams[#streams + 1] = {jobs, paths, oldest}
end
return streams
