-- One page of an origin, asked for through a proxy: wrk -s proxy.lua PROXY -- URL close|keep-alive
local text

function init(args)
   wrk.headers["Host"] = args[1]:match("^http://([^/]+)")
   if args[2] == "close" then
      wrk.headers["Connection"] = "close"
   end
   text = wrk.format("GET", args[1])
end

function request()
   return text
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "bytes": %d, "microseconds": %d, "status": %d, "read": %d, "socket": %d}\n',
      summary.requests, summary.bytes, summary.duration, errors.status,
      errors.read, errors.connect + errors.write + errors.timeout))
end
