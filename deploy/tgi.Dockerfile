# TGI for clusters that forbid root (engines.*.nonRootImage): its own image keeps its Python under /root, where only root
# may read. Build it where ghcr.io can be reached, push it, and name it in engineImages.tgi:
#
#     docker build --file deploy/tgi.Dockerfile --tag registry.example/tgi-any-user:3.3.7 deploy
ARG TGI=3.3.7
FROM ghcr.io/huggingface/text-generation-inference:${TGI}
# Others may pass through /root and read what is in it; nobody but root may write.
RUN chmod a+x /root && chmod -R a+rX /root/.local
ENV HOME=/tmp
WORKDIR /tmp
USER 1000:1000
