-- wrk: GET as it stands.
wrk.method = "GET"
