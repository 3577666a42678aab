-- Pages of an origin, asked for through a proxy: wrk -s proxy.lua PROXY -- URL close|keep-alive COUNT
-- With a COUNT of more than 1 there are so many, in turn: a %d in the URL is the number of the page.
local texts = {}
local next = 0

function init(args)
   wrk.headers["Host"] = args[1]:match("^http://([^/]+)")
   if args[2] == "close" then
      wrk.headers["Connection"] = "close"
   end
   local count = tonumber(args[3])
   for number = 0, count - 1 do
      texts[number] = wrk.format("GET", count > 1 and args[1]:format(number) or args[1])
   end
end

function request()
   next = (next + 1) % (#texts + 1)
   return texts[next]
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "bytes": %d, "microseconds": %d, "status": %d, "read": %d, "socket": %d}\n',
      summary.requests, summary.bytes, summary.duration, errors.status,
      errors.read, errors.connect + errors.write + errors.timeout))
end
