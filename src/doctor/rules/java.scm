;; files: .java
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid allowedheaders allow-headers
;; env: System.getenv("TRACEKIT_API_KEY")

(variable_declarator name: (identifier) @name value: (_) @value) @constant
(import_declaration (scoped_identifier) @name) @import

; ---- the SDK is started, and with what
((method_invocation object: (identifier) @_o name: (identifier) @_m arguments: (argument_list) @value) @init
  (#match? @_o "(?i)^tracekit(SDK)?$") (#match? @_m "^(create|init)$"))
((method_invocation name: (identifier) @name arguments: (argument_list) @value) @option
  (#match? @name "^(apiKey|serviceName|endpoint)$") (#set! needs "racekit"))
((method_invocation name: (identifier) @name arguments: (argument_list) @value) @option
  (#match? @name "^set(ApiKey|ServiceName|Endpoint)$") (#set! needs "racekit"))

; ---- requests by a client that carries no trace
((method_invocation object: (_) @_o name: (identifier) @name arguments: (argument_list . (_) @value)) @request
  (#match? @_o "(?i)rest_?template$") (#match? @name "^(getForObject|getForEntity|postForObject|postForEntity|exchange)$"))

; ---- CORS
((method_invocation name: (identifier) @_m) @cors
  (#eq? @_m "addMapping") (#set! framework "CorsRegistry") (#set! headers "all"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.alone.headers
  (#match? @_m "^(allowedHeaders|setAllowedHeaders)$"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.alone.origin
  (#match? @_m "^(allowedOrigins|setAllowedOrigins)$"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.alone.credentials
  (#match? @_m "^(allowCredentials|setAllowCredentials)$"))

; ---- headers that others cannot continue
((method_invocation name: (identifier) @_m arguments: (argument_list . (string_literal) @name . (_))) @header
  (#match? @_m "^(set|add|header|setHeader|addHeader)$") (#proprietary? @name))
