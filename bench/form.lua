-- wrk: a form of 2 KB as a browser sends it, each time by another person from behind a proxy.
local text, run, count = string.rep("words+of+a+letter,+", 95), "", 0

function init(arguments) -- wrk ... -- RUN
    run = arguments[1]
end

function request()
    count = count + 1
    local from = string.format("198.%d.%d.%d", 18 + math.floor(count / 65536) % 2, math.floor(count / 256) % 256, count % 256)
    return wrk.format("POST", nil, {["Content-Type"] = "application/x-www-form-urlencoded", ["X-Forwarded-For"] = from},
        "email=ada." .. run .. "." .. count .. "%40example.com&name=Ada+Lovelace&message=" .. text)
end
