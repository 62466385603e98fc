{{/* NetworkPolicies: one a component, which allows the arrows of the architecture and DNS, and nothing else. */}}

{{/* The pods of a component, as a peer. Of (list $ component). */}}
{{- define "ssr.peer" -}}
podSelector:
  matchLabels:
    {{- include "ssr.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/* Calls to a component, as an egress rule. Of (list $ component port). */}}
{{- define "ssr.callsTo" -}}
- to:
    - {{- include "ssr.peer" (list (index . 0) (index . 1)) | nindent 6 }}
  ports:
    - {protocol: TCP, port: {{ index . 2 }}}
{{- end -}}

{{/* Look-ups of names: by whatever resolves them, a node's own cache too. */}}
{{- define "ssr.dns" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{/* Calls out of the release, as an egress rule. Of (list peers ports). */}}
{{- define "ssr.callsOut" -}}
- ports:
    {{- range index . 1 }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with index . 0 }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The ports of an external engine's URLs, comma-separated. */}}
{{- define "ssr.urlPorts" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $address := regexReplaceAll "^[a-z]+://([^/]+).*$" . "${1}" -}}
{{- $port := regexFind ":[0-9]+$" $address | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary "443" "80" (hasPrefix "https:" .)) $port) -}}
{{- end -}}
{{- $ports | uniq | join "," -}}
{{- end -}}

{{/* A service's calls to its engine, as an egress rule. Of (list $ engine). */}}
{{- define "ssr.callsToEngine" -}}
{{- $engine := get (index . 0).Values.engines (index . 1) -}}
{{- if eq $engine.kind "external" -}}
{{- include "ssr.callsOut" (list $engine.external.peers (splitList "," (include "ssr.urlPorts" $engine.external.urls))) -}}
{{- else -}}
{{- include "ssr.callsTo" (list (index . 0) (printf "engine-%s" (index . 1)) 8080) -}}
{{- end -}}
{{- end -}}
