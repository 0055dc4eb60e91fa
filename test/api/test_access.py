"""Who may do what: kinds of keys, origins, --dev, sessions. One row of auth.c's table is one assertion here."""

import json
import unittest

from harness import Server, WithServer, command, json_request, new_key, new_trace_id, open_socket, wait_for

ORIGIN = "https://app.example.com"
ROUTES = {  # what is asked -> how
    "ingest": lambda server, **headers: server.send_otlp(json_request(new_trace_id()), "application/json", **headers),
    "read": lambda server, **headers: server.get("/api/v1/traces", **headers),
    "admin": lambda server, **headers: server.get("/api/v1/keys", **headers),
}


class KindsOfKeys(WithServer):
    dev = False

    def test_each_kind_opens_what_is_its_own_and_403_the_rest(self):
        open_to = {"server": {"ingest"}, "browser": {"ingest"}, "read": {"read"}, "admin": {"read", "admin"}}
        for kind, allowed in open_to.items():
            key = new_key(self.server.data, kind, "default", *([ORIGIN] if kind == "browser" else []))
            for what, ask in ROUTES.items():
                with self.subTest(kind=kind, what=what):
                    status = ask(self.server, x_api_key=key, origin=ORIGIN).status
                    self.assertEqual(status, 200 if what in allowed else 403)

    def test_without_a_key_and_with_an_unknown_one_all_is_401(self):
        for what, ask in ROUTES.items():
            for headers in ({}, {"x_api_key": "unknown"}, {"authorization": "Bearer unknown"},
                            {"cookie": "tracekit_session=unknown"}):
                with self.subTest(what=what, headers=headers):
                    answer = ask(self.server, **headers)
                    self.assertEqual(answer.status, 401)
                    self.assertEqual(answer.header("www-authenticate"), "Bearer")

    def test_what_is_no_ingest_is_refused_as_a_problem(self):
        self.problem(self.server.get("/api/v1/traces"), 401)
        self.problem(self.server.get("/api/v1/nothing"), 404)
        self.problem(self.server.ask("PUT", "/api/v1/keys"), 405)

    def test_what_is_no_request_is_refused_as_a_problem_too(self):
        with open_socket(self.server) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nName : value\r\n\r\n")
            head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 "), head)
        self.assertIn(b"application/problem+json", head)
        self.assertEqual(json.loads(body)["status"], 400)

    def test_health_needs_no_key(self):
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"):
            self.assertEqual(self.server.get(path).status, 200, path)


class BrowserKeys(WithServer):
    dev = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = new_key(cls.server.data, "browser", "default", ORIGIN, "http://localhost:3000")

    def send(self, **headers):
        return ROUTES["ingest"](self.server, **headers)

    def test_it_is_taken_from_its_origins_and_from_nowhere_else(self):
        for origin in (ORIGIN, "http://localhost:3000"):
            answer = self.send(x_api_key=self.key, origin=origin)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.header("access-control-allow-origin"), origin)
            self.assertIn("Origin", answer.header("vary"))
        for origin in ("https://evil.example", ORIGIN + ".evil.example", "http://app.example.com", "null"):
            answer = self.send(x_api_key=self.key, origin=origin)
            self.assertEqual(answer.status, 403, origin)
            self.assertIsNone(answer.header("access-control-allow-origin"))
        self.assertEqual(self.send(x_api_key=self.key).status, 403)

    def test_it_may_stand_in_the_address_as_beacons_need_even_as_plain_text(self):
        for kind in ("application/json", "text/plain;charset=UTF-8"):
            answer = self.server.send_otlp(json_request(new_trace_id()), kind, path="/v1/traces?api_key=" + self.key,
                                           origin=ORIGIN)
            self.assertEqual(answer.status, 200, answer)
        self.assertNotIn(self.key, "".join(self.server.log))

    def test_an_error_can_be_read_by_the_page_that_caused_it(self):
        answer = self.send(x_api_key="unknown", origin=ORIGIN)
        self.assertEqual((answer.status, answer.header("access-control-allow-origin")), (401, ORIGIN))

    def test_a_preflight_is_answered_for_its_origins(self):
        asked = {"Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "content-type,x-api-key,x-sdk,x-sdk-version"}
        for path in ("/v1/traces", "/api/v2/spans"):
            answer = self.server.ask("OPTIONS", path, headers={"Origin": ORIGIN, **asked})
            self.assertEqual(answer.status, 204, answer)
            self.assertEqual(answer.header("access-control-allow-origin"), ORIGIN)
            self.assertIn("POST", answer.header("access-control-allow-methods"))
            self.assertIn("Origin", answer.header("vary"))
            self.assertGreater(int(answer.header("access-control-max-age")), 0)
            allowed = {name.strip() for name in answer.header("access-control-allow-headers").lower().split(",")}
            self.assertLessEqual({"content-type", "x-api-key", "authorization", "x-sdk", "x-sdk-version",
                                  "content-encoding", "traceparent", "tracestate"}, allowed)
        answer = self.server.ask("OPTIONS", "/v1/traces", headers={"Origin": "https://evil.example", **asked})
        self.assertIsNone(answer.header("access-control-allow-origin"))
        self.assertEqual(answer.status, 403)

    def test_no_other_origin_may_read_the_query_api(self):
        for method, path in (("GET", "/api/v1/traces"), ("POST", "/api/v1/keys"), ("DELETE", "/api/v1/keys/1")):
            answer = self.server.ask("OPTIONS", path, headers={"Origin": ORIGIN,
                                                               "Access-Control-Request-Method": method})
            self.assertIsNone(answer.header("access-control-allow-origin"), path)
        answer = ROUTES["read"](self.server, x_api_key=new_key(self.server.data, "read"), origin=ORIGIN)
        self.assertIsNone(answer.header("access-control-allow-origin"))

    def test_beyond_its_rate_it_is_429_with_retry_after(self):
        key = new_key(self.server.data, "browser", "default", ORIGIN)
        burst, slack = 400, 4000  # the bucket of limit.h; and what flows in while we ask
        head = (f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nX-API-Key: {key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}").encode()
        statuses, limited = [], b""
        with open_socket(self.server) as connection, connection.makefile("rb") as answers:
            while len(statuses) < burst + slack and not limited:
                connection.sendall(head * 100)
                for _ in range(100):
                    statuses.append(int(answers.readline().split()[1]))
                    lines = list(iter(answers.readline, b"\r\n"))
                    size = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")]
                    answers.read(size[0] if size else 0)
                    if statuses[-1] == 429:
                        limited = b"".join(lines).lower()
        self.assertEqual(set(statuses[:burst]), {200})
        self.assertIn(b"retry-after:", limited)
        wait_for(lambda: self.send(x_api_key=key, origin=ORIGIN).status == 200, "the bucket to fill")


class Dev(WithServer):
    def test_on_loopback_no_key_is_needed_and_the_project_is_default(self):
        for ask in ROUTES.values():
            self.assertEqual(ask(self.server).status, 200)
        who = self.server.get("/api/v1/whoami").json
        self.assertEqual((who["kind"], who["project"]["name"]), ("dev", "default"))
        self.assertIn("default", [project["name"] for project in who["projects"]])

    def test_an_unknown_key_is_401_and_a_known_one_counts(self):
        key = new_key(self.server.data, "server")
        for what, ask in ROUTES.items():
            self.assertEqual(ask(self.server, x_api_key="unknown").status, 401)
            self.assertEqual(ask(self.server, x_api_key=key).status, 200 if what == "ingest" else 403)

    def test_every_loopback_origin_may_send_and_no_other(self):
        for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:8080", "https://app.localhost"):
            answer = self.server.ask("OPTIONS", "/v1/traces", headers={
                "Origin": origin, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type"})
            self.assertEqual(answer.header("access-control-allow-origin"), origin)
            answer = ROUTES["ingest"](self.server, origin=origin)
            self.assertEqual((answer.status, answer.header("access-control-allow-origin")), (200, origin))
        for origin in ("https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example",
                       "http://127.evil.example", "null"):
            answer = self.server.ask("OPTIONS", "/v1/traces", headers={
                "Origin": origin, "Access-Control-Request-Method": "POST"})
            self.assertIsNone(answer.header("access-control-allow-origin"), origin)
            for ask in ROUTES.values():
                self.assertEqual(ask(self.server, origin=origin).status, 403, origin)

    def test_a_browser_key_may_send_from_every_loopback_origin(self):
        key = new_key(self.server.data, "browser", "default", ORIGIN)
        self.assertEqual(ROUTES["ingest"](self.server, x_api_key=key, origin="http://localhost:9").status, 200)
        self.assertEqual(ROUTES["ingest"](self.server, x_api_key=key, origin="https://evil.example").status, 403)

    def test_a_name_that_was_pointed_at_us_gets_nothing(self):
        for host in ("evil.example", f"evil.example:{self.server.port}", "127.0.0.1.evil.example", "localhost.evil", ""):
            answer = self.server.ask("GET", "/api/v1/traces", host=host)
            self.assertIn(answer.status, (400, 403), host)
        for host in ("localhost", f"LOCALHOST:{self.server.port}", "127.0.0.1", "127.1.2.3:80", "[::1]:4318"):
            self.assertEqual(self.server.ask("GET", "/api/v1/traces", host=host).status, 200, host)

    def test_project_may_be_named_and_an_unknown_one_is_404(self):
        command("project", "create", "--data", self.server.data, "shop")
        who = self.server.get("/api/v1/whoami?project=shop").json
        self.assertEqual(who["project"]["name"], "shop")
        self.problem(self.server.get("/api/v1/traces?project=nothing"), 404)


class Sessions(WithServer):
    dev = False
    csrf = {"X-TraceKit-CSRF": "1"}

    def cookie(self, answer):
        value = answer.header("set-cookie")
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, value)
        return {"Cookie": "other=1; " + value.split(";")[0]}

    def sign_in(self, key):
        return self.server.send_json("POST", "/api/v1/session", {"key": key})

    def link(self):
        out = command("signin", "--data", self.server.data)
        return "/signin?token=" + out.split("token=")[1].split()[0]

    def test_a_sign_in_link_works_once_and_opens_every_project(self):
        command("project", "create", "--data", self.server.data, "linked")
        link = self.link()
        answer = self.server.get(link)
        self.assertEqual((answer.status, answer.header("location")), (303, "/traces"))
        cookie = self.cookie(answer)
        who = self.server.ask("GET", "/api/v1/whoami", headers=cookie).json
        self.assertEqual(who["kind"], "session")
        self.assertLessEqual({"default", "linked"}, {project["name"] for project in who["projects"]})
        answer = self.server.ask("GET", "/api/v1/traces?project=linked", headers=cookie)
        self.assertEqual(answer.status, 200)
        again = self.server.get(link)
        self.assertEqual(again.status, 403)
        self.assertIn("text/html", again.header("content-type"))
        self.assertIsNone(again.header("set-cookie"))
        self.assertEqual(self.server.get("/signin").status, 403)

    def test_read_and_admin_keys_sign_in_and_others_do_not(self):
        for kind, status in (("read", 200), ("admin", 200), ("server", 403), ("browser", 403)):
            self.assertEqual(self.sign_in(new_key(self.server.data, kind)).status, status, kind)
        self.problem(self.sign_in("unknown"), 401)
        self.problem(self.server.send_json("POST", "/api/v1/session", {}), 401)

    def test_a_session_of_a_key_sees_its_project_and_manages_as_the_key_may(self):
        command("project", "create", "--data", self.server.data, "other")
        for kind, keys_status in (("read", 403), ("admin", 200)):
            cookie = self.cookie(self.sign_in(new_key(self.server.data, kind)))
            who = self.server.ask("GET", "/api/v1/whoami", headers=cookie).json
            self.assertEqual((who["kind"], [project["name"] for project in who["projects"]]), (kind, ["default"]))
            self.assertEqual(self.server.ask("GET", "/api/v1/keys", headers=cookie).status, keys_status)
            self.assertEqual(self.server.ask("GET", "/api/v1/traces?project=other", headers=cookie).status, 403)

    def test_a_change_by_cookie_needs_the_csrf_header_and_json(self):
        cookie = self.cookie(self.server.get(self.link()))
        body = json.dumps({"name": "made-by-cookie"}).encode()
        kind = {"Content-Type": "application/json"}
        self.problem(self.server.ask("POST", "/api/v1/projects", body, {**cookie, **kind}), 403)
        plain = {"Content-Type": "text/plain"}
        self.problem(self.server.ask("POST", "/api/v1/projects", body, {**cookie, **plain, **self.csrf}), 415)
        answer = self.server.ask("POST", "/api/v1/projects", body, {**cookie, **kind, **self.csrf})
        self.assertEqual(answer.status, 201, answer)
        path = "/api/v1/projects/made-by-cookie"
        self.assertEqual(self.server.ask("DELETE", path, headers=cookie).status, 403)
        self.assertEqual(self.server.ask("DELETE", path, headers={**cookie, **self.csrf}).status, 204)

    def test_signing_out_ends_the_session(self):
        cookie = self.cookie(self.sign_in(new_key(self.server.data, "read")))
        answer = self.server.ask("DELETE", "/api/v1/session", headers=cookie)
        self.assertEqual(answer.status, 204)
        self.assertIn("Max-Age=0", answer.header("set-cookie"))
        self.assertEqual(self.server.ask("GET", "/api/v1/whoami", headers=cookie).status, 401)

    def test_a_session_cannot_send_spans(self):
        cookie = self.cookie(self.server.get(self.link()))["Cookie"]
        self.assertEqual(ROUTES["ingest"](self.server, cookie=cookie).status, 401)


class FirstStart(unittest.TestCase):
    def test_it_prints_the_key_and_a_sign_in_link_once(self):
        server = Server(dev=False)
        wait_for(lambda: any("/signin?token=" in line for line in server.log), "the link")
        server.stop()
        text = "".join(server.log)
        self.assertEqual(text.count("tk_server_"), 1)


if __name__ == "__main__":
    unittest.main()
