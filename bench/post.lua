-- wrk: one event of about 450 bytes a request, each with a key of its own.
local head = '{"type":"LEAD_CAPTURE","source":"landing-page","idempotency_key":"'
local tail = '","payload":{"email":"ada@example.com","name":"Ada Lovelace","company":"Analytical Engines Ltd",' ..
    '"utm":{"source":"newsletter","medium":"email","campaign":"spring","term":"automation"},"plan":"free",' ..
    '"score":42,"tags":["trial","europe","engineering"],"consent":true,"page":"https://www.example.com/landing/a",' ..
    '"message":"I would like to know more about it, please call me in the afternoon."}}'
local run, count, random = "", 0, false

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(arguments) -- wrk ... -- RUN [random]: no two runs have a key in common
    run, random = arguments[1] or os.time(), arguments[2] == "random"
    math.randomseed(tonumber(run))
end

local function key()
    if random then
        return string.format("%08x%08x-", math.random(0, 0xffffffff), math.random(0, 0xffffffff))
    end
    return "lead-"
end

function request()
    count = count + 1
    return wrk.format(nil, nil, nil, head .. key() .. run .. "-" .. count .. tail)
end
