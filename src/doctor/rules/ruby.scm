;; files: .rb .ru Gemfile .gemspec Rakefile
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid rack-cors rack::cors sinatra\b
;; env: ENV["TRACEKIT_API_KEY"]

(assignment left: [(identifier) (constant)] @name right: (_) @value) @constant

; ---- what the manifest asks for
((call method: (identifier) @_m arguments: (argument_list . (string) @name . (string)? @value)) @dependency
  (#match? @_m "^(gem|add_dependency|add_runtime_dependency)$"))
((call method: (identifier) @name arguments: (argument_list . (string) @value)) @runtime
  (#eq? @name "ruby"))

; ---- the SDK is started, and with what
((call receiver: (constant) @_r method: (identifier) @_m) @init
  (#match? @_r "(?i)^tracekit$") (#match? @_m "^(configure|init)$"))
((assignment left: (call method: (identifier) @name) right: (_) @value) @option
  (#match? @name "^(api_key|service_name|endpoint)$") (#set! needs "racekit"))
((pair key: (hash_key_symbol) @name value: (_) @value) @option
  (#match? @name "^(api_key|service_name|endpoint)$") (#set! needs "racekit"))

; ---- the server: Rails adds the middleware by itself
((call method: (identifier) @_m arguments: (argument_list (string) @_s)) @app
  (#eq? @_m "require") (#match? @_s "^.sinatra(/base)?.$") (#set! framework "Sinatra")
  (#set! cure "use Tracekit::Middleware"))
((call method: (identifier) @_m arguments: (argument_list . (scope_resolution) @_c)) @middleware
  (#match? @_m "^(use|insert_before|insert_after|insert|unshift)$") (#match? @_c "(?i)tracekit"))

; ---- requests by a client that carries no trace
((call receiver: (_) @_r method: (identifier) @name arguments: (argument_list . (_) @value)) @request
  (#match? @_r "^(Net::HTTP|HTTParty|Faraday|RestClient|HTTP|Typhoeus|Excon)$") (#match? @name "^(get|post|put|patch|delete|get_response)$"))
((call receiver: (_) @_r method: (identifier) @_m arguments: (argument_list [(string) @value (pair value: (_) @value)])) @request
  (#eq? @_r "Faraday") (#eq? @_m "new"))
((call receiver: (_) @_r method: (identifier) @name arguments: (argument_list . (_) @value)) @request
  (#eq? @_r "URI") (#eq? @name "open"))

; ---- CORS
((call method: (identifier) @_m block: (_)) @cors
  (#eq? @_m "allow") (#match? @cors "\\bresource\\b") (#set! framework "rack-cors"))
((pair key: (hash_key_symbol) @_k value: (_) @value) @cors.headers
  (#eq? @_k "headers") (#set! headers "mirrored"))
((call method: (identifier) @_m arguments: (argument_list) @value) @cors.origin (#eq? @_m "origins"))
((pair key: (hash_key_symbol) @_k value: (_) @value) @cors.credentials (#eq? @_k "credentials"))

; ---- headers that others cannot continue
((pair key: (string) @name) @header (#proprietary? @name))
((assignment left: (element_reference (string) @name)) @header (#proprietary? @name))
