-- wrk: one event of about 450 bytes a request, each with a key of its own.
local head = '{"type":"LEAD_CAPTURE","source":"landing-page","idempotency_key":"lead-'
local tail = '","payload":{"email":"ada@example.com","name":"Ada Lovelace","company":"Analytical Engines Ltd",' ..
    '"utm":{"source":"newsletter","medium":"email","campaign":"spring","term":"automation"},"plan":"free",' ..
    '"score":42,"tags":["trial","europe","engineering"],"consent":true,"page":"https://www.example.com/landing/a",' ..
    '"message":"I would like to know more about it, please call me in the afternoon."}}'
local run, count = "", 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(arguments) -- wrk ... -- RUN: no two runs have a key in common
    run = arguments[1] or os.time()
end

function request()
    count = count + 1
    return wrk.format(nil, nil, nil, head .. run .. "-" .. count .. tail)
end
