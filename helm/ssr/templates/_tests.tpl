{{/* A pod of `helm test`, which calls a service as callers do. Of (list $ component service command). */}}
{{- define "ssr.testPod" -}}
{{- $root := index . 0 -}}
{{- $service := index . 2 -}}
{{- $values := get $root.Values.services $service -}}
{{- $key := $root.Values.test.apiKeySecret -}}
{{- if and (not $key.name) (eq (include "ssr.makesKeys" $root) "true") -}}
{{- $key = dict "name" (include "ssr.keysSecret" $root) "key" "helm-test" -}}
{{- end -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "ssr.metadata" (list $root (index . 1)) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  {{- include "ssr.podSecurity" (list $root $service $values 10001) | nindent 2 }}
  restartPolicy: Never
  containers:
    - name: {{ index . 1 }}
      image: {{ include "ssr.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: {{- toYaml (index . 3) | nindent 8 }}
      {{- with $key.name }}
      env:
        {{- include "ssr.secretVariable" (list "SSR_API_KEY" . $key.key) | nindent 8 }}
      {{- end }}
      {{- include "ssr.containerSecurity" (list $values.securityContext false) | nindent 6 }}
      resources:
        requests: {cpu: 100m, memory: 128Mi}
        limits: {memory: 512Mi}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if ne (include "ssr.tlsKind" $root) "none" }}
        - {name: tls, mountPath: /tls, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- if ne (include "ssr.tlsKind" $root) "none" }}
    - name: tls
      secret: {secretName: {{ include "ssr.tlsSecret" (list $root "client") }}, defaultMode: 0440}
    {{- end }}
{{- end -}}
