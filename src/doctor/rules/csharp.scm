;; files: .cs
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid withheaders addcors usecors iapplicationbuilder
;; env: Environment.GetEnvironmentVariable("TRACEKIT_API_KEY")

(variable_declarator name: (identifier) @name (_) @value) @constant

; ---- the SDK is started, and with what
((invocation_expression function: (_) @_f arguments: (argument_list) @value) @init
  (#match? @_f "(?i)(\\.AddTracekit|TracekitSDK\\.Create)$"))
((assignment_expression left: [(member_access_expression name: (identifier) @name) (identifier) @name]
   right: (_) @value) @option
  (#match? @name "^(ApiKey|ServiceName|Endpoint|Enabled)$") (#set! needs "racekit"))
((assignment_expression left: [(member_access_expression name: (identifier) @name) (identifier) @name]
   right: (_) @value) @option
  (#match? @name "^(ApiKey|ServiceName|Endpoint|Enabled)$") (#set! needs "raceKit"))

; ---- the server: what it is made with, the SDK's middleware, its routes
((variable_declarator name: (identifier) @name (invocation_expression function: (_) @_f)) @app
  (#match? @_f "\\.Build$") (#set! needs "WebApplication") (#set! framework "ASP.NET Core")
  (#set! cure "app.UseTracekit()"))
((parameter type: (identifier) @_t name: (identifier) @name) @app
  (#eq? @_t "IApplicationBuilder") (#set! needs "UseRouting") (#set! framework "ASP.NET Core")
  (#set! cure "app.UseTracekit()"))
((invocation_expression function: (member_access_expression expression: (identifier) @name name: (identifier) @_m)) @middleware
  (#match? @_m "(?i)^UseTracekit$"))
; MapGet and its like run behind all middleware, wherever they stand; these end the pipeline
((invocation_expression function: (member_access_expression expression: (identifier) @name name: (identifier) @_m)) @route
  (#match? @_m "^Use(Endpoints|Mvc|MvcWithDefaultRoute)$"))

; ---- CORS
((invocation_expression function: (member_access_expression name: (identifier) @_m)
   arguments: (argument_list (argument (lambda_expression)))) @cors
  (#match? @_m "^(AddPolicy|AddDefaultPolicy|UseCors)$") (#match? @cors "With(Origins|Headers|Methods)|Allow")
  (#set! framework "ASP.NET Core's CORS"))
((invocation_expression function: (member_access_expression name: (identifier) @_m) arguments: (argument_list) @value) @cors.headers
  (#eq? @_m "WithHeaders") (#set! headers "mirrored"))
((invocation_expression function: (member_access_expression name: (identifier) @_m @value)) @cors.headers
  (#eq? @_m "AllowAnyHeader"))
((invocation_expression function: (member_access_expression name: (identifier) @_m)) @cors.alone.any-origin
  (#eq? @_m "AllowAnyOrigin"))
((invocation_expression function: (member_access_expression name: (identifier) @_m)) @cors.alone.with-credentials
  (#eq? @_m "AllowCredentials"))

; ---- headers that others cannot continue
((invocation_expression function: (member_access_expression name: (identifier) @_m)
   arguments: (argument_list . (argument (string_literal) @name) . (_))) @header
  (#match? @_m "^(Add|Append|TryAddWithoutValidation)$") (#proprietary? @name))
