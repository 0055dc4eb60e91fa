;; files: .py
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid cors allow-headers run\( fastapi\( starlette\( flask\( middleware
;; env: os.environ["TRACEKIT_API_KEY"]

; ---- names for values, and which packages a file uses
(assignment left: (identifier) @name right: (_) @value) @constant
(import_statement name: (dotted_name) @name) @import
(import_from_statement module_name: (dotted_name) @name) @import
((import_from_statement module_name: (dotted_name) @_m name: (dotted_name) @name) @traced
  (#eq? @_m "tracekit"))

; ---- the SDK is started, and with what
((call function: (_) @_f arguments: (argument_list) @value) @init (#match? @_f "^tracekit\\.init$"))
((call function: (identifier) @_f arguments: (argument_list) @value) @init
  (#eq? @_f "init") (#set! needs "from tracekit import"))
((keyword_argument name: (identifier) @name value: (_) @value) @option
  (#match? @name "^(api_key|service_name|endpoint|trace_propagation_targets|enabled|auto_instrument\\w*)$"))

; ---- the server: what it is made with, the SDK's middleware, its routes, its port
((assignment left: (identifier) @name right: (call function: (identifier) @_f)) @app
  (#match? @_f "^(FastAPI|Starlette)$") (#set! framework "FastAPI") (#set! cure "app.add_middleware(TracekitMiddleware)"))
((assignment left: (identifier) @name right: (call function: (identifier) @_f)) @app
  (#eq? @_f "Flask") (#set! framework "Flask") (#set! cure "tracekit.integrations.flask.init_flask_app(app)"))
((assignment left: (identifier) @name right: (list) @_l) @app
  (#eq? @name "MIDDLEWARE") (#match? @_l "django\\.|middleware\\.")
  (#set! framework "Django") (#set! cure "'tracekit.integrations.django.TracekitMiddleware', early in MIDDLEWARE"))
((call function: (attribute attribute: (identifier) @_m) arguments: (argument_list (_) @_a)) @middleware
  (#eq? @_m "add_middleware") (#match? @_a "(?i)tracekit"))
((keyword_argument name: (identifier) @_k value: (_) @_v) @middleware
  (#eq? @_k "middleware") (#match? @_v "(?i)tracekit"))
((call function: (_) @_f) @middleware (#match? @_f "(?i)init_(flask|fastapi)_app$|^tracekit\\.instrument_(flask|fastapi|app)$|TracekitFlask$"))
((string) @middleware (#match? @middleware "(?i)tracekit\\.[a-z.]*Middleware"))
((assignment left: (attribute attribute: (identifier) @_a) right: (call function: (_) @_f)) @middleware
  (#eq? @_a "wsgi_app") (#match? @_f "(?i)tracekit"))
((call function: (_) @_f arguments: (argument_list (keyword_argument name: (identifier) @_k value: (_) @value))) @listen
  (#match? @_f "\\.run$") (#eq? @_k "port"))

; ---- requests by a client that carries no trace
((call function: (_) @name arguments: (argument_list . (_) @value)) @request
  (#match? @name "^(requests|httpx)\\.(get|post|put|patch|delete|head)$|^(urllib\\.request\\.)?urlopen$"))
((call function: (_) @name arguments: (argument_list . (_) . (_) @value)) @request
  (#match? @name "^(requests|httpx)\\.request$"))
((call function: (_) @_f) @raw.client
  (#match? @_f "^(aiohttp\\.ClientSession|httpx\\.(Async)?Client|requests\\.[sS]ession)$"))
((call function: (attribute object: (identifier) @_o attribute: (identifier) @_m) @name
   arguments: (argument_list . (_) @value)) @request.built
  (#match? @_o "(?i)(session|client|http)$") (#match? @_m "^(get|post|put|patch|delete|head)$"))

; ---- CORS
((call function: (attribute attribute: (identifier) @_m) arguments: (argument_list . (_) @_a)) @cors
  (#eq? @_m "add_middleware") (#match? @_a "CORSMiddleware") (#set! framework "CORSMiddleware"))
((call function: (identifier) @_f) @cors
  (#eq? @_f "CORS") (#set! framework "flask-cors") (#set! headers "all"))
((keyword_argument name: (identifier) @_k value: (_) @value) @cors.headers
  (#eq? @_k "allow_headers") (#set! headers "mirrored"))
((keyword_argument name: (identifier) @_k value: (_) @value) @cors.origin (#match? @_k "^(allow_origins|origins)$"))
((keyword_argument name: (identifier) @_k value: (_) @value) @cors.credentials
  (#match? @_k "^(allow_credentials|supports_credentials)$"))
((assignment left: (identifier) @_k right: (_) @value) @cors.alone.headers (#eq? @_k "CORS_ALLOW_HEADERS"))
((assignment left: (identifier) @_k right: (_) @value) @cors.alone.origin (#match? @_k "^CORS_(ALLOW_ALL_ORIGINS|ORIGIN_ALLOW_ALL)$"))
((assignment left: (identifier) @_k right: (_) @value) @cors.alone.credentials (#eq? @_k "CORS_ALLOW_CREDENTIALS"))

; ---- headers that others cannot continue
((pair key: (string) @name) @header (#proprietary? @name))
((assignment left: (subscript subscript: (string) @name)) @header (#proprietary? @name))
