;; files: .php
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid allowed_headers allow-headers appfactory::create application::configure
;; env: getenv('TRACEKIT_API_KEY')

(assignment_expression left: (variable_name) @name right: (_) @value) @constant
(const_element (name) @name (_) @value) @constant

; ---- the SDK is started, and with what
((object_creation_expression [(name) (qualified_name)] @_n (arguments) @value) @init
  (#match? @_n "TracekitClient$"))
((function_call_expression function: (_) @_f arguments: (arguments) @value) @init
  (#match? @_f "(?i)^\\\\?tracekit\\\\(\\w+\\\\)*init$"))
((scoped_call_expression scope: (_) @_s name: (name) @_n arguments: (arguments) @value) @init
  (#match? @_s "(?i)^\\\\?tracekit$") (#eq? @_n "init"))
((array_element_initializer . [(string) (encapsed_string)] @name . (_) @value) @option
  (#match? @name "^.(api_key|service_name|endpoint).$") (#set! needs "racekit"))
((array_element_initializer . [(string) (encapsed_string)] @name . (_) @value) @option
  (#match? @name "^.(api_key|service_name|endpoint).$") (#set! needs "TRACEKIT_"))

; ---- the server: laravel-apm adds its middleware by itself
((scoped_call_expression scope: (_) @_s name: (name) @_n) @app
  (#match? @_s "(^|\\\\)AppFactory$") (#eq? @_n "create") (#set! framework "Slim")
  (#set! cure "$app->add(new TracekitMiddleware($tracekit))"))
((scoped_call_expression scope: (_) @_s name: (name) @_n) @app
  (#match? @_s "(^|\\\\)Application$") (#eq? @_n "configure") (#set! framework "Laravel")
  (#set! cure "composer require tracekit/laravel-apm, which sees each request"))
((name) @middleware (#match? @middleware "(?i)^(tracekit\\w*Middleware|extractTraceparent)$"))

; ---- requests by a client that carries no trace
((function_call_expression function: (name) @name arguments: (arguments . (argument (_) @value))) @request
  (#match? @name "^(file_get_contents|curl_init)$") (#set! unless "wrapCurlExec"))
((function_call_expression function: (name) @name
   arguments: (arguments . (argument) . (argument (name) @_o) . (argument (_) @value))) @request
  (#eq? @name "curl_setopt") (#eq? @_o "CURLOPT_URL") (#set! unless "wrapCurlExec"))
((object_creation_expression (name) @name
   (arguments (argument (array_creation_expression (array_element_initializer . (_) @_k . (_) @value))))) @request
  (#match? @name "Client$") (#match? @_k "^.base_uri.$") (#set! unless "getGuzzleMiddleware"))
((object_creation_expression (name) @_n) @raw.client
  (#match? @_n "^(Guzzle)?(Http)?Client$") (#set! unless "getGuzzleMiddleware"))
((member_call_expression name: (name) @name arguments: (arguments . (argument (_) @value))) @request.built
  (#match? @name "^(get|post|put|patch|delete)(Async)?$"))
((member_call_expression name: (name) @name arguments: (arguments . (argument) . (argument (_) @value))) @request.built
  (#match? @name "^request(Async)?$"))

; ---- CORS
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.headers
  (#match? @_k "^.allowed_headers.$") (#set! headers "mirrored"))
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.origin
  (#match? @_k "^.allowed_origins.$"))
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.credentials
  (#match? @_k "^.supports_credentials.$"))
((function_call_expression function: (name) @_f arguments: (arguments . (argument [(string) (encapsed_string)] @value))) @cors.alone.headers
  (#eq? @_f "header") (#match? @value "(?i)^.access-control-allow-headers:") (#not-match? @value "\\*"))
((function_call_expression function: (name) @_f arguments: (arguments . (argument [(string) (encapsed_string)] @_h))) @cors.alone.any-origin
  (#eq? @_f "header") (#match? @_h "(?i)^.access-control-allow-origin: *\\*"))
((function_call_expression function: (name) @_f arguments: (arguments . (argument [(string) (encapsed_string)] @_h))) @cors.alone.with-credentials
  (#eq? @_f "header") (#match? @_h "(?i)^.access-control-allow-credentials: *true"))
((member_call_expression name: (name) @_m arguments: (arguments . (argument (string) @_h) . (argument (_) @value))) @cors.alone.headers
  (#match? @_m "^withHeader$") (#match? @_h "(?i)^.access-control-allow-headers.$"))
((member_call_expression name: (name) @_m arguments: (arguments . (argument (string) @_h) . (argument (_) @value))) @cors.alone.origin
  (#match? @_m "^withHeader$") (#match? @_h "(?i)^.access-control-allow-origin.$"))
((member_call_expression name: (name) @_m arguments: (arguments . (argument (string) @_h) . (argument (_) @value))) @cors.alone.credentials
  (#match? @_m "^withHeader$") (#match? @_h "(?i)^.access-control-allow-credentials.$"))

; ---- headers that others cannot continue
((array_element_initializer . [(string) (encapsed_string)] @name . (_)) @header (#proprietary? @name))
