{{/* Who has certificates, and where they come from. */}}

{{/* The DNS names of a Service: short, with the namespace, and in full. Of (list $ Service). */}}
{{- define "ssr.dnsNames" -}}
{{- $name := index . 1 -}}
{{- $namespaced := printf "%s.%s" $name (index . 0).Release.Namespace -}}
- {{ $name }}
- {{ $namespaced }}
- {{ $namespaced }}.svc
- {{ $namespaced }}.svc.cluster.local
{{- end -}}

{{/* "true" for services that are called over TLS. Nobody calls the autoscaler. Of (list $ service). */}}
{{- define "ssr.hasTls" -}}
{{- and (ne (index . 0).Values.tls.kind "none") (ne (index . 1) "autoscaler") -}}
{{- end -}}

{{/* The Secret with a component's certificate, or with that of callers. Of (list $ component) or (list $ "client"). */}}
{{- define "ssr.tlsSecret" -}}
{{- $root := index . 0 -}}
{{- if eq $root.Values.tls.kind "secrets" -}}
{{- get $root.Values.tls.secrets (index . 1) -}}
{{- else -}}
{{ include "ssr.fullname" $root }}-{{ index . 1 }}-tls
{{- end -}}
{{- end -}}

{{/* A service's settings of TLS: all show the same certificate to callers and to whom they call. Of (list $ service). */}}
{{- define "ssr.tlsSettings" -}}
{{- $settings := dict "certificate" "/tls/tls.crt" "key" "/tls/tls.key" "authority" "/tls/ca.crt" -}}
{{- if or (ne (index . 1) "orchestrator") (index . 0).Values.tls.clientCertificates -}}
{{- $_ := set $settings "clients" "/tls/ca.crt" -}}
{{- end -}}
{{- toJson (dict "tls" $settings "health_port" (int (include "ssr.healthPort" .))) -}}
{{- end -}}
