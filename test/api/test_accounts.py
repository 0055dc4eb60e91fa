"""Projects and keys over HTTP; and the rule that nothing is read or written across projects."""

import json
import shutil
import tempfile
import unittest

from harness import Server, WithServer, command, json_request, new_key, new_trace_id, request, span

CSRF = {"X_TraceKit_CSRF": "1"}


class Managing(WithServer):
    """Under --dev, where one may manage all."""

    def make(self, **request):
        return self.server.send_json("POST", "/api/v1/keys", request)

    def test_a_project_is_made_listed_and_deleted(self):
        answer = self.server.send_json("POST", "/api/v1/projects", {"name": "made"})
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(answer.json["name"], "made")
        self.assertIsInstance(answer.json["id"], int)
        self.assertTrue(answer.json["createdUnixNano"].isdigit())
        listed = self.server.get("/api/v1/projects").json["projects"]
        self.assertIn(answer.json, listed)
        self.problem(self.server.send_json("POST", "/api/v1/projects", {"name": "made"}), 409)
        self.assertEqual(self.server.ask("DELETE", "/api/v1/projects/made").status, 204)
        self.problem(self.server.ask("DELETE", "/api/v1/projects/made"), 404)

    def test_what_is_wrong_with_a_request_is_said(self):
        self.assertIn("a-z", self.problem(self.server.send_json("POST", "/api/v1/projects", {"name": "No!"}), 400))
        self.assertIn("nmae", self.problem(self.server.send_json("POST", "/api/v1/projects", {"nmae": "x"}), 400))
        self.assertIn("byte", self.problem(self.server.send_json("POST", "/api/v1/projects", {"name": 7}), 400))
        self.problem(self.server.send_json("POST", "/api/v1/projects", []), 400)
        self.problem(self.server.ask("POST", "/api/v1/projects", b"{", {"Content-Type": "application/json"}), 400)
        self.problem(self.server.ask("POST", "/api/v1/projects", b"", {"Content-Type": "application/json"}), 400)
        self.problem(self.make(project="default", kind="root"), 400)
        self.problem(self.make(project="default"), 400)
        self.problem(self.make(project="nothing", kind="read"), 404)
        self.problem(self.make(project="default", kind="server", origins=["https://a.example"]), 400)
        self.assertIn("origin", self.problem(self.make(project="default", kind="browser", origins=["*"]), 400))
        self.problem(self.make(project="default", kind="browser", origins=["https://a.example"] * 33), 400)

    def test_a_key_is_shown_once_then_by_its_prefix(self):
        made = self.make(project="default", kind="browser", name="page", origins=["https://a.example"])
        self.assertEqual(made.status, 201, made)
        key = made.json
        secret = key.pop("key")
        self.assertTrue(secret.startswith(key["prefix"]))
        self.assertEqual((key["project"], key["kind"], key["name"], key["origins"], key["revoked"]),
                         ("default", "browser", "page", ["https://a.example"], False))
        self.assertIsNone(key["lastUsedUnixNano"])
        listed = self.server.get("/api/v1/keys")
        self.assertIn(key, listed.json["keys"])
        self.assertNotIn(secret, listed.body.decode())
        self.assertEqual(self.server.ask("DELETE", f"/api/v1/keys/{key['id']}").status, 204)
        after = [one for one in self.server.get("/api/v1/keys").json["keys"] if one["id"] == key["id"]]
        self.assertEqual(after, [{**key, "revoked": True}])
        for path in ("/api/v1/keys/999999", "/api/v1/keys/x", "/api/v1/keys/99999999999999999999"):
            self.problem(self.server.ask("DELETE", path), 404)

    def test_a_revoked_key_is_refused_at_once(self):
        made = self.make(project="default", kind="server").json
        send = lambda: self.server.send_otlp(b"", x_api_key=made["key"]).status
        self.assertEqual(send(), 200)
        self.server.ask("DELETE", f"/api/v1/keys/{made['id']}")
        self.assertEqual(send(), 401)

    def test_deleting_a_project_revokes_its_keys_and_forgets_its_spans(self):
        self.server.send_json("POST", "/api/v1/projects", {"name": "gone"})
        key = self.make(project="gone", kind="server").json["key"]
        trace_id = new_trace_id()
        self.assertEqual(self.server.send_otlp(request(span(trace_id)), x_api_key=key).status, 200)
        self.assertEqual(self.server.trace(f"{trace_id}?project=gone").status, 200)
        self.assertEqual(self.server.ask("DELETE", "/api/v1/projects/gone").status, 204)
        self.assertEqual(self.server.send_otlp(request(span(trace_id)), x_api_key=key).status, 401)
        self.server.send_json("POST", "/api/v1/projects", {"name": "gone"})
        self.assertEqual(self.server.trace(f"{trace_id}?project=gone").status, 404)

    def test_what_is_kept_of_a_project_is_changed_and_applied_at_once(self):
        self.server.send_json("POST", "/api/v1/projects", {"name": "brief"})
        key = self.make(project="brief", kind="server").json["key"]
        listed = next(p for p in self.server.get("/api/v1/projects").json["projects"] if p["name"] == "brief")
        self.assertEqual((listed["retention"], listed["disk"]), ("default", "default"))
        change = lambda **request: self.server.send_json("PATCH", "/api/v1/projects/brief", request)
        changed = change(retention="36h", disk="10GiB")
        self.assertEqual((changed.status, changed.json), (200, {**listed, "retention": "36h", "disk": "10GiB"}))
        self.assertEqual(change(disk="none").json, {**listed, "retention": "36h", "disk": "none"})
        self.assertEqual(change().json, {**listed, "retention": "36h", "disk": "none"})
        self.assertIn("like 7d", self.problem(change(retention="soon"), 400))
        self.assertIn("like 10GiB", self.problem(change(disk="7d"), 400))
        self.problem(change(retentoin="7d"), 400)
        self.problem(self.server.send_json("PATCH", "/api/v1/projects/nothing", {"disk": "1GiB"}), 404)
        trace_id = new_trace_id()  # not sealed yet: it stays, however old it is
        self.assertEqual(self.server.send_otlp(request(span(trace_id)), x_api_key=key).status, 200)
        self.assertEqual(change(retention="1ns").status, 200)
        self.assertEqual(self.server.trace(f"{trace_id}?project=brief").status, 200)

    def test_a_project_says_what_it_takes_and_what_limits_would_delete(self):
        self.server.send_json("POST", "/api/v1/projects", {"name": "full"})
        key = self.make(project="full", kind="server").json["key"]
        storage = lambda: next(p for p in self.server.get("/api/v1/projects").json["projects"]
                               if p["name"] == "full")["storage"]
        self.assertEqual(storage(), {"bytes": 0, "segmentCount": 0, "spanCount": 0, "unsealedSpanCount": 0})
        sent = request(span(new_trace_id()), span(new_trace_id()))
        self.assertEqual(self.server.send_otlp(sent, x_api_key=key).status, 200)
        taken = storage()
        self.assertEqual((taken["spanCount"], taken["unsealedSpanCount"], taken["bytes"]), (2, 2, 0))
        self.assertLessEqual(int(taken["oldestUnixNano"]), int(taken["newestUnixNano"]))
        due = lambda limits="": self.server.get("/api/v1/projects/full/due" + limits)
        nothing = {"spanCount": 0, "segmentCount": 0, "bytes": 0}  # is due of what is not sealed
        for limits in ("", "?retention=1ns&disk=1B", "?retention=none"):
            self.assertEqual(due(limits).json, nothing)
        self.assertIn("like 7d", self.problem(due("?retention=soon"), 400))
        self.assertIn("like 10GiB", self.problem(due("?disk=7d"), 400))
        self.problem(self.server.get("/api/v1/projects/nothing/due"), 404)


class Limited(WithServer):
    """A server with limits of its own, on a directory that holds a segment."""

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="tracekit-api-")
        cls.addClassCleanup(shutil.rmtree, cls.data)
        first = Server(data=cls.data)
        first.send_otlp(request(span(new_trace_id()), span(new_trace_id())))
        first.stop()  # which seals
        cls.server = Server("--retention", "9000d", "--disk", "50GiB", data=cls.data)
        cls.addClassCleanup(cls.server.stop)

    def test_what_holds_for_all_projects_is_told_beside_them(self):
        listed = self.server.get("/api/v1/projects").json
        storage = listed["projects"][0]["storage"]
        self.assertEqual((listed["server"]["retention"], listed["server"]["disk"]), ("9000d", "50GiB"))
        self.assertEqual((storage["spanCount"], storage["unsealedSpanCount"], storage["segmentCount"]), (2, 0, 1))
        self.assertGreaterEqual(listed["server"]["bytes"], storage["bytes"])

    def test_what_is_said_to_be_due_goes_when_the_change_is_made(self):
        listed = self.server.get("/api/v1/projects").json["projects"][0]["storage"]
        due = self.server.get("/api/v1/projects/default/due?disk=1B").json
        self.assertEqual(due, {"spanCount": 2, "segmentCount": 1, "bytes": listed["bytes"]})
        self.assertEqual(self.server.get("/api/v1/projects").json["projects"][0]["storage"], listed)
        changed = self.server.send_json("PATCH", "/api/v1/projects/default", {"disk": "1B"})
        self.assertEqual(changed.json["storage"]["spanCount"], 0)


class Isolation(WithServer):
    """Nothing can be read or written across projects."""

    dev = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys, cls.traces = {}, {}
        for project in ("ours", "theirs"):
            command("project", "create", "--data", cls.server.data, project)
            cls.keys[project] = {kind: new_key(cls.server.data, kind, project) for kind in ("server", "read", "admin")}
            cls.traces[project] = new_trace_id()
            cls.server.send_otlp(json_request(cls.traces[project], service=project,
                                              attributes=[{"key": "secret.of." + project,
                                                           "value": {"stringValue": "value-" + project}}]),
                                 "application/json", x_api_key=cls.keys[project]["server"])

    def ask(self, path, project, kind="read"):
        return self.server.get(path, x_api_key=self.keys[project][kind])

    def test_a_key_reads_its_own_project(self):
        for project in ("ours", "theirs"):
            found = self.ask("/api/v1/traces", project).json["traces"]
            self.assertEqual([trace["traceId"] for trace in found], [self.traces[project]])

    def test_a_foreign_trace_is_as_unknown_as_none(self):
        foreign = self.ask("/api/v1/traces/" + self.traces["theirs"], "ours")
        unknown = self.ask("/api/v1/traces/" + new_trace_id(), "ours")
        self.assertEqual((foreign.status, unknown.status), (404, 404))
        self.assertEqual(self.ask(f"/api/v1/traces/{self.traces['theirs']}?format=otlp", "ours").status, 404)

    def test_no_search_service_or_tag_shows_anything_foreign(self):
        for kind in ("read", "admin"):
            for path in ("/api/v1/traces", "/api/v1/traces?q=theirs", "/api/v1/traces?q=" + self.traces["theirs"],
                         "/api/v1/services", "/api/v1/services/theirs/operations", "/api/v1/tags",
                         "/api/v1/tags/service.name/values", "/api/v1/tags/secret.of.theirs/values",
                         "/api/v1/whoami"):
                answer = self.ask(path, "ours", kind)
                text = answer.body.decode().replace("service:theirs", "").replace("/theirs/", "")
                if "query" in text:
                    text = json.dumps({**answer.json, "query": ""})
                self.assertNotIn("theirs", text, path)
                self.assertNotIn(self.traces["theirs"], text, path)

    def test_naming_the_other_project_does_not_open_it(self):
        for kind in ("read", "admin"):
            for path in ("/api/v1/traces", "/api/v1/traces/" + self.traces["theirs"], "/api/v1/services",
                         "/api/v1/tags", "/api/v1/keys", "/api/v1/whoami"):
                self.assertEqual(self.ask(path + "?project=theirs", "ours", kind).status, 403, path)
        answer = self.server.send_otlp(request(span(new_trace_id())), path="/v1/traces?project=theirs",
                                       x_api_key=self.keys["ours"]["server"])
        self.assertEqual(answer.status, 403)

    def test_one_trace_id_in_two_projects_is_two_traces(self):
        shared = new_trace_id()
        for project, count in (("ours", 1), ("theirs", 2)):
            body = request(*(span(shared) for _ in range(count)), service=project)
            self.server.send_otlp(body, x_api_key=self.keys[project]["server"])
        try:
            for project, count in (("ours", 1), ("theirs", 2)):
                trace = self.ask("/api/v1/traces/" + shared, project).json
                self.assertEqual((trace["spanCount"], trace["services"][0]["name"]), (count, project))
        finally:
            self.traces["shared"] = shared

    def test_a_read_key_sees_what_is_kept_of_its_project_and_changes_nothing(self):
        read = {"x_api_key": self.keys["ours"]["read"]}
        listed = self.server.get("/api/v1/projects", **read).json["projects"]
        self.assertEqual([project["name"] for project in listed], ["ours"])
        for method, path, body in (("PATCH", "/api/v1/projects/ours", {"disk": "1GiB"}),
                                   ("POST", "/api/v1/projects", {"name": "third"})):
            self.problem(self.server.send_json(method, path, body, **read), 403)
        self.problem(self.server.get("/api/v1/projects/ours/due", **read), 403)
        self.problem(self.server.get("/api/v1/projects/theirs/due", x_api_key=self.keys["ours"]["admin"]), 403)

    def test_an_admin_key_manages_its_own_project_only(self):
        admin = {"x_api_key": self.keys["ours"]["admin"]}
        listed = self.server.get("/api/v1/keys", **admin).json["keys"]
        self.assertEqual({key["project"] for key in listed}, {"ours"})
        projects = self.server.get("/api/v1/projects", **admin).json["projects"]
        self.assertEqual([project["name"] for project in projects], ["ours"])
        foreign = self.server.get("/api/v1/keys", x_api_key=self.keys["theirs"]["admin"]).json["keys"][0]["id"]
        self.assertEqual(self.server.ask("DELETE", f"/api/v1/keys/{foreign}",
                                         headers={"X-API-Key": admin["x_api_key"]}).status, 404)
        self.problem(self.server.send_json("POST", "/api/v1/keys", {"project": "theirs", "kind": "read"}, **admin), 403)
        self.problem(self.server.send_json("POST", "/api/v1/projects", {"name": "third"}, **admin), 403)
        self.problem(self.server.ask("DELETE", "/api/v1/projects/theirs", headers={"X-API-Key": admin["x_api_key"]}),
                     403)
        self.problem(self.server.send_json("PATCH", "/api/v1/projects/theirs", {"disk": "1GiB"}, **admin), 403)
        kept = self.server.send_json("PATCH", "/api/v1/projects/ours", {"disk": "1GiB"}, **admin)
        self.assertEqual((kept.status, kept.json["disk"]), (200, "1GiB"))
        made = self.server.send_json("POST", "/api/v1/keys", {"kind": "read"}, **admin)
        self.assertEqual((made.status, made.json["project"]), (201, "ours"))
        self.assertEqual(self.ask("/api/v1/traces", "theirs").status, 200)


if __name__ == "__main__":
    unittest.main()
