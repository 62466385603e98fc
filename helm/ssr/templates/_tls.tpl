{{/* Who has certificates, and where they come from. */}}

{{/* Where certificates come from: tls.kind, with auto decided. What the chart once made stays. */}}
{{- define "ssr.tlsKind" -}}
{{- include "ssr.memo" . -}}
{{- if not (hasKey .Values.memo "tlsKind") -}}
{{- $kind := .Values.tls.kind -}}
{{- if eq $kind "auto" -}}
{{- $made := include "ssr.secretData" (list . (include "ssr.madeAuthority" .)) | fromJson -}}
{{- $managed := .Capabilities.APIVersions.Has "cert-manager.io/v1" -}}
{{- $kind = ternary "certManager" "made" (and $managed (empty $made)) -}}
{{- end -}}
{{- $_ := set .Values.memo "tlsKind" $kind -}}
{{- end -}}
{{- .Values.memo.tlsKind -}}
{{- end -}}

{{/* The Secret with the authority that the chart makes. */}}
{{- define "ssr.madeAuthority" -}}
{{ include "ssr.fullname" . }}-authority
{{- end -}}

{{/* The names that a component's certificate is for. Of (list $ component). */}}
{{- define "ssr.certificateNames" -}}
{{- $root := index . 0 -}}
{{- $service := printf "%s-%s" (include "ssr.fullname" $root) (index . 1) }}
{{- include "ssr.dnsNames" (list $root $service) }}
{{- if eq (index . 1) "orchestrator" }}
{{ include "ssr.dnsNames" (list $root (printf "%s-headless" $service)) }}
{{- end }}
{{- if has (index . 1) (list "orchestrator" "gateway") }}
{{- with $root.Values.tls.dnsNames }}
{{ toYaml . }}
{{- end }}
{{- end }}
# For kubectl port-forward.
- localhost
{{- end -}}

{{/* The DNS names of a Service: short, with the namespace, and in full. Of (list $ Service). */}}
{{- define "ssr.dnsNames" -}}
{{- $name := index . 1 -}}
{{- $namespaced := printf "%s.%s" $name (index . 0).Release.Namespace -}}
- {{ $name }}
- {{ $namespaced }}
- {{ $namespaced }}.svc
- {{ $namespaced }}.svc.{{ (index . 0).Values.clusterDomain }}
{{- end -}}

{{/* "true" for services that are called over TLS. Nobody calls the autoscaler. Of (list $ service). */}}
{{- define "ssr.hasTls" -}}
{{- and (ne (include "ssr.tlsKind" (index . 0)) "none") (ne (index . 1) "autoscaler") -}}
{{- end -}}

{{/* The Secret with a component's certificate, or with that of callers. Of (list $ component) or (list $ "client"). */}}
{{- define "ssr.tlsSecret" -}}
{{- $root := index . 0 -}}
{{- if eq (include "ssr.tlsKind" $root) "secrets" -}}
{{- get $root.Values.tls.secrets (index . 1) -}}
{{- else -}}
{{ include "ssr.fullname" $root }}-{{ index . 1 }}-tls
{{- end -}}
{{- end -}}

{{/* A service's settings of TLS: all show the same certificate to callers and to whom they call. Of (list $ service). */}}
{{- define "ssr.tlsSettings" -}}
{{- $settings := dict "certificate" "/tls/tls.crt" "key" "/tls/tls.key" "authority" "/tls/ca.crt" -}}
{{- if or (not (has (index . 1) (list "orchestrator" "gateway"))) (index . 0).Values.tls.clientCertificates -}}
{{- $_ := set $settings "clients" "/tls/ca.crt" -}}
{{- end -}}
{{- toJson (dict "tls" $settings) -}}
{{- end -}}
