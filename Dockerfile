# The image that docs/cluster/kuberay.yaml wants. Not built where distcari is developed (no Docker there): expect to mend it.
#   docker build -t your-registry/distcari:latest . && docker push your-registry/distcari:latest
FROM rayproject/ray:2.60.0-py312-gpu
WORKDIR /home/ray/distcari
COPY --chown=ray:users . .
RUN pip install --no-cache-dir -c constraints.txt '.[cluster,demo]'
WORKDIR /home/ray
