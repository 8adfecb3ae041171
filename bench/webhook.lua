-- wrk: one signed body of 2 KB, each time with a delivery id of its own, as GitHub sends them.
local body, signature, run, count = "", "", "", 0

function init(arguments) -- wrk ... -- FILE SIGNATURE RUN
    local file = io.open(arguments[1], "r")
    body = file:read("*a")
    file:close()
    signature, run = arguments[2], arguments[3]
end

function request()
    count = count + 1
    return wrk.format("POST", nil, {["Content-Type"] = "application/json", ["X-Hub-Signature-256"] = "sha256=" .. signature,
        ["X-GitHub-Event"] = "push", ["X-GitHub-Delivery"] = run .. "-" .. count}, body)
end
