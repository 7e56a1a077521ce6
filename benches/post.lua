-- wrk: signed GitHub-style deliveries of 1 KiB, each with an id of its own.
-- The signatures are made beforehand (see ingest.py); BODIES names the directory they are in.
local dir = os.getenv("BODIES")
local function read(name)
   local file = io.open(dir .. "/" .. name)
   local text = file:read("*a")
   file:close()
   return text
end

local before, after, signatures = read("before"), read("after"), {}
local n = tonumber(os.getenv("FIRST") or "0")

function init()
   for line in io.lines(dir .. "/signatures") do
      signatures[#signatures + 1] = line
   end
end

function request()
   local id = n % #signatures
   n = n + 1
   local body = before .. string.format("%010d", id) .. after
   return table.concat({
      "POST ", wrk.path, " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\n",
      "X-GitHub-Delivery: ", string.format("00000000-0000-4000-8000-%012d", id),
      "\r\nX-Hub-Signature-256: sha256=", signatures[id + 1], "\r\nContent-Length: ", #body, "\r\n\r\n", body,
   })
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
      latency:percentile(99), errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
