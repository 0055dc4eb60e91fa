;; files: .php
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid allowed_headers allow-headers
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

; ---- requests by a client that carries no trace
((function_call_expression function: (name) @name arguments: (arguments . (argument (_) @value))) @request
  (#match? @name "^(file_get_contents|curl_init)$"))

; ---- CORS
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.headers
  (#match? @_k "^.allowed_headers.$"))
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.origin
  (#match? @_k "^.allowed_origins.$"))
((array_element_initializer . [(string) (encapsed_string)] @_k . (_) @value) @cors.alone.credentials
  (#match? @_k "^.supports_credentials.$"))

; ---- headers that others cannot continue
((array_element_initializer . [(string) (encapsed_string)] @name . (_)) @header (#proprietary? @name))
