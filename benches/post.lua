-- wrk: signed deliveries, each with an id of its own.
-- They are made beforehand (see ingest.py); BODIES names the directory. `template` is a whole request with holes
-- \1, \2, ...; each line of `values` fills them, separated by tabs. Every request has the same length.
local dir = os.getenv("BODIES")
local n = tonumber(os.getenv("FIRST") or "0")
local pieces, holes, rows = {}, {}, {}

function init()
   local file = io.open(dir .. "/template", "rb")
   local text = file:read("*a")
   file:close()
   local from = 1
   while true do
      local at = text:find("[\1-\8]", from)
      pieces[#pieces + 1] = text:sub(from, (at or #text + 1) - 1)
      if not at then break end
      holes[#holes + 1] = text:byte(at)
      from = at + 1
   end
   for line in io.lines(dir .. "/values") do
      rows[#rows + 1] = line
   end
end

function request()
   local row = {}
   for value in rows[n % #rows + 1]:gmatch("[^\t]+") do
      row[#row + 1] = value
   end
   n = n + 1
   local out = { pieces[1] }
   for i, hole in ipairs(holes) do
      out[#out + 1] = row[hole]
      out[#out + 1] = pieces[i + 1]
   end
   return table.concat(out)
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
      latency:percentile(99), errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
