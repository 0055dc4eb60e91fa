;; files: .js .jsx .mjs .cjs .ts .tsx .mts .cts .vue .svelte .astro
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid cors\b allow-headers listen\( sentry-trace \bexpress\( \bfastify\(
;; env: process.env.TRACEKIT_API_KEY

; ---- names for values, and which packages a file uses
(variable_declarator name: (identifier) @name value: (_) @value) @constant
(variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @name) value: (_) @value) @constant
(import_statement source: (string) @name) @import
((call_expression function: (identifier) @_f arguments: (arguments . (string) @name)) @import
  (#eq? @_f "require"))
; a name for the SDK's own client: const { fetch } = tracekit
((variable_declarator name: [(identifier) @name (object_pattern (shorthand_property_identifier_pattern) @name)]
   value: [(identifier) (member_expression)] @_v) @traced
  (#match? @_v "^(tracekit|tracekit\\.fetch)$"))

; ---- the SDK is started, and with what
((call_expression function: (_) @_f arguments: (arguments) @value) @init
  (#match? @_f "^([Tt]race[Kk]it|sdk)(\\.default)?\\.init$"))
((call_expression function: (_) @_f arguments: (arguments) @value) @init
  (#match? @_f "^(init|initClient|initServer|provideTraceKit|TraceKitModule\\.forRoot|createTraceKitPlugin)$")
  (#set! needs "@tracekit/"))
((call_expression function: (member_expression property: (property_identifier) @_use)
   arguments: (arguments . (identifier) @_plugin) @value) @init
  (#eq? @_use "use") (#eq? @_plugin "TraceKitPlugin"))
([(jsx_self_closing_element name: (identifier) @_n) (jsx_opening_element name: (identifier) @_n)]
   @value @init (#eq? @_n "TraceKitProvider"))
((pair key: (property_identifier) @_k value: (object) @value) @init
  (#eq? @_k "tracekit") (#set! needs "@tracekit/nuxt"))
((pair key: [(property_identifier) (string)] @name value: (_) @value) @option
  (#match? @name "^['\"]?(apiKey|serviceName|endpoint|tracePropagationTargets|enabled|autoInstrument\\w*)['\"]?$"))
((shorthand_property_identifier) @name @value @option
  (#match? @name "^(apiKey|serviceName|endpoint|tracePropagationTargets)$"))

; ---- the server: what it is made with, the SDK's middleware, its routes, its port
((variable_declarator name: (identifier) @name value: (call_expression function: (identifier) @_f)) @app
  (#eq? @_f "express") (#set! framework "Express")
  (#set! cure "app.use(TraceKit.Handlers.requestHandler()) and app.use(TraceKit.Handlers.tracingHandler())"))
((variable_declarator name: (identifier) @name value: (call_expression function: (identifier) @_f)) @app
  (#match? @_f "^[fF]astify$") (#set! framework "Fastify")
  (#set! cure "fastify.register(require('@tracekit/node').fastifyPlugin)"))
((variable_declarator name: (identifier) @name
   value: (call_expression function: (call_expression arguments: (arguments (string) @_p)))) @app
  (#match? @_p "^.express.$") (#set! framework "Express")
  (#set! cure "app.use(TraceKit.Handlers.requestHandler()) and app.use(TraceKit.Handlers.tracingHandler())"))
((variable_declarator name: (identifier) @name
   value: (call_expression function: (call_expression arguments: (arguments (string) @_p)))) @app
  (#match? @_p "^.fastify.$") (#set! framework "Fastify")
  (#set! cure "fastify.register(require('@tracekit/node').fastifyPlugin)"))
((call_expression
   function: (member_expression object: (identifier) @name property: (property_identifier) @_m)
   arguments: (arguments (_) @_a)) @middleware
  (#match? @_m "^(use|register)$")
  (#match? @_a "(?i)tracekit|requestHandler|tracingHandler|fastifyPlugin|expressMiddleware")
  (#not-match? @_a "errorHandler"))
((call_expression
   function: (member_expression object: (identifier) @name property: (property_identifier) @_m)
   arguments: (arguments . [(string) (template_string)] . (_))) @route
  (#match? @_m "^(get|post|put|patch|delete|all|use|options|head)$"))
((call_expression
   function: (member_expression object: (identifier) @name property: (property_identifier) @_m)
   arguments: (arguments . (object))) @route
  (#eq? @_m "route"))
((call_expression function: (member_expression property: (property_identifier) @_m)
   arguments: (arguments . (_) @value)) @listen
  (#eq? @_m "listen"))

; ---- requests by a client that carries no trace
((call_expression function: (_) @name arguments: (arguments . (_) @value)) @request
  (#match? @name "^((globalThis|window)\\.)?fetch$|^axios(\\.(get|post|put|patch|delete|head|request))?$|^got(\\.(get|post|put|patch|delete|head))?$|^https?\\.(get|request)$|^undici\\.(fetch|request)$|^(superagent|needle)(\\.\\w+)?$"))

; ---- CORS
((call_expression function: (identifier) @_f arguments: (arguments) @value) @cors
  (#eq? @_f "cors") (#set! framework "cors") (#set! headers "all"))
((call_expression function: (member_expression property: (property_identifier) @_m)
   arguments: (arguments . (_) @_p) @value) @cors
  (#eq? @_m "register") (#match? @_p "(?i)cors") (#set! framework "@fastify/cors") (#set! headers "all"))
((call_expression function: (member_expression property: (property_identifier) @_m)
   arguments: (arguments) @value) @cors
  (#eq? @_m "enableCors") (#set! framework "enableCors") (#set! headers "all"))
((pair key: (property_identifier) @_k value: (_) @value) @cors.headers
  (#match? @_k "^allow(ed)?Headers$"))
((pair key: (property_identifier) @_k value: (_) @value) @cors.origin (#eq? @_k "origin"))
((pair key: (property_identifier) @_k value: (_) @value) @cors.credentials (#eq? @_k "credentials"))
((call_expression arguments: (arguments . (string) @_h . (_) @value)) @cors.alone.headers
  (#match? @_h "(?i)^.access-control-allow-headers.$"))
((call_expression arguments: (arguments . (string) @_h . (_) @value)) @cors.alone.origin
  (#match? @_h "(?i)^.access-control-allow-origin.$"))
((call_expression arguments: (arguments . (string) @_h . (_) @value)) @cors.alone.credentials
  (#match? @_h "(?i)^.access-control-allow-credentials.$"))
((pair key: (string) @_h value: (_) @value) @cors.alone.headers
  (#match? @_h "(?i)^.access-control-allow-headers.$"))
((pair key: (string) @_h value: (_) @value) @cors.alone.origin
  (#match? @_h "(?i)^.access-control-allow-origin.$"))
((pair key: (string) @_h value: (_) @value) @cors.alone.credentials
  (#match? @_h "(?i)^.access-control-allow-credentials.$"))

; ---- headers that others cannot continue
((pair key: (string) @name) @header (#proprietary? @name))
((call_expression function: (member_expression property: (property_identifier) @_m)
   arguments: (arguments . (string) @name . (_))) @header
  (#match? @_m "^(set|setHeader|header|append|setRequestHeader)$") (#proprietary? @name))
