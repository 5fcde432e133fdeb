# One image for every process of the program; which one is the command.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 shop
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
COPY --chown=shop . .
RUN install -d -o shop /data
USER shop
ENV SMART_CHECKOUT_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn", "--bind", "0.0.0.0:8000"]
