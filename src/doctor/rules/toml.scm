;; files: 

; ---- what the manifest asks for: names in lists (PEP 621), and keys (Poetry, Pipfile, Cargo)
(array (string) @name) @dependency.line
(pair [(bare_key) (quoted_key)] @name [(string) (inline_table)] @value) @dependency
